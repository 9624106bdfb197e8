rehearse explain table-rewrit
