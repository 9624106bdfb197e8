echo "gates: {blocked: 500ms}" >own.yaml
rehearse config show --json --config own.yaml
