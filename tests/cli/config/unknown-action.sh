rehearse config edit
