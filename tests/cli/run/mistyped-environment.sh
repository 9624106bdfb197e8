REHEARSE_MAX_BLOKED=1s REHEARSE_MY_OWN=x rehearse run gone.sql
