rehearse config
