rehearse rnu
