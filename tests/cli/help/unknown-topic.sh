rehearse help exit-code
