# What is wrong with the command line is told before anybody could connect.
U=postgresql://nobody@nowhere.invalid/shop
: > there
for arguments in "" "--upstream $U" "--upstream $U --listen :6432" "--upstream $U --listen :6432 -o there" \
    "--upstream $U --listen :6432 -o w --ring 5MB" "--upstream $U --listen :6432 -o w --ring 20MB" \
    "--upstream $U --listen :6432 -o w --unencrypted --workload-key k" "--upstream $U --listen :6432 -o w --tls-required" \
    "--upstream $U --listen :6432 -o w --mask-key-file k" "--upstream $U --listen :6432 -o w --masking missing.yaml" \
    "--upstream $U --listen :6432 -o w --when-full wait" "--upstream $U --listen :6432 -o w --for 10" \
    "--upstream no=url --listen :6432 -o w --unencrypted"; do
    rehearse capture $arguments 2>&1 | head -1
done
U=postgresql://nobody@127.0.0.1:1/shop
for address in 6432 :0 :99999 nowhere.invalid:6432 unix:/no/such/directory/s; do
    rehearse capture --upstream $U --listen $address -o w --unencrypted --spill 0 2>&1 | grep -v ^note | head -1
done
ls
