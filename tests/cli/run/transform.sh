# What is wrong with the rules is told before anything is opened or started.
echo 'SELECT 1' >m.sql
cat > transform.yaml <<'YAML'
version: 1
rules:
  - rename_colum: customers.name
    to: full_name
  - drop_column: note
YAML
rehearse run m.sql --schema m.sql --transform missing.yaml 2>&1
rehearse run m.sql --schema m.sql --transform transform.yaml 2>&1
sed -i 's/colum:/column:/; s/: note/: orders.note/' transform.yaml
rehearse run m.sql --schema m.sql --transform transform.yaml 2>&1
rehearse replay w --to postgresql://nobody@nowhere.invalid/shop --transform missing.yaml 2>&1
ls
