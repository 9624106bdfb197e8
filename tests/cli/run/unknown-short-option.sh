rehearse run -z
