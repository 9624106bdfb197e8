rehearse explain table-rewrite
