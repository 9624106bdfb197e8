printf "out: \"a\n" >rehearse.yaml
rehearse run gone.sql
