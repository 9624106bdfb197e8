rehearse explain
