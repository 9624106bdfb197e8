rehearse version && rehearse --version
