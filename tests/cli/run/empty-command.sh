rehearse run --
