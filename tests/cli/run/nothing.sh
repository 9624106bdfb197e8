rehearse run
