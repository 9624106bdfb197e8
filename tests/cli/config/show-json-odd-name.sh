name=$(printf 'own-\377.yaml')
echo "gates: {blocked: 500ms}" >"$name"
rehearse config show --json --config "$name" | grep -o '"file":"[^"]*","options"'
