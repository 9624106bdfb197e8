rehearse version now
