rehearse explain a b
