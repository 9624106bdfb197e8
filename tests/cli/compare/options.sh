# What is wrong with the command line is told before anything is connected to.
U=postgresql://nobody@nowhere.invalid/shop
for arguments in "" "w" "w --baseline $U" "--baseline $U --candidate $U" \
    "w --baseline $U --candidate $U --p50-max-multiplier 0.5" \
    "w --baseline $U --candidate $U --p95-max-multiplier fast" \
    "w --baseline $U --candidate $U --error-rate-max-delta -1" \
    "w --baseline $U --candidate $U --min-query-count 3" \
    "w --baseline $U --candidate $U --compare-budget 10ms" \
    "w x --baseline $U --candidate $U" \
    "missing.workload --baseline $U --candidate $U"; do
    rehearse compare $arguments 2>&1 | head -1
done
cat > rehearse.yaml <<'YAML'
gates:
  blocked: 1s
  regression_thresholds:
    p50_max_multiplier: 1.5
    p50_max: 2
  min_query_count: 30
compare:
  compare-budget: 5s
YAML
rehearse compare w --baseline $U --candidate $U 2>&1
rehearse run --schema x x 2>&1 | head -3
ls
