rehearse help exit-codes
