# What is wrong with the command line is told before anything is connected to.
U=postgresql://nobody@nowhere.invalid/shop
for arguments in "" "--from $U" "--from $U -o s --sample 120%" "--from $U -o s --sample 5%% --quiet" \
    "--from $U -o s --sample orders=" "--from $U -o s --sample =5%" "--from $U -o s --sample 5% --sample 6%" \
    "--from $U -o s --where orders" "--from $U -o s --jobs 0" "--from $U -o s --unmasked --suggest" \
    "--from $U -o s --unmasked --masking m.yaml" "--from $U -o s --rate-limit 0" "--from $U -o s --lock-timeout 5" \
    "--from $U -o s --witness missing.sql"; do
    rehearse snapshot create $arguments 2>&1 | head -1
done
rehearse snapshot import 2>&1 | head -1
rehearse snapshot inspect . 2>&1 | head -1
rehearse snapshot
echo $?
rehearse snapshot creat
echo $?
ls
