mkdir db
rehearse run db
