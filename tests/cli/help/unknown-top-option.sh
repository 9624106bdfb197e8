rehearse --frobnicate run
