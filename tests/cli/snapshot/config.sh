# Each command reads its own section; what is in no section and no option of run is a mistake.
cat >rehearse.yaml <<'.'
max-blocked: 2s
snapshot-create:
  sample: [5%, orders=1%]
  jobs: 0
snapshot-import: {jobs: 99}
.
rehearse snapshot create --from postgresql://nobody@nowhere.invalid/shop -o s 2>&1
rehearse config show --json >/dev/null; echo $?
echo "smaple: 5%" >>rehearse.yaml
rehearse snapshot create --from postgresql://nobody@nowhere.invalid/shop -o s 2>&1 | head -1
printf 'snapshot-create: {from: x}\n' >rehearse.yaml
rehearse snapshot create -o s 2>&1 | head -1
