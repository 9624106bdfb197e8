rehearse run --rollback --sandbox-url postgresql://localhost/staging -- true
