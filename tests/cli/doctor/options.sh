# What is wrong with the command line is told before anything is tried.
for arguments in "--listen :6432" "--tls-cert c.crt" "--upstream postgresql://nowhere.invalid/x --tls-required" \
    "--upstream postgresql://nowhere.invalid/x --tls-client-certs some" "--config missing.yaml" "extra" "--timeout 3"; do
    rehearse doctor --quiet $arguments 2>&1 | head -1
done
