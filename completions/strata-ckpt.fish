# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_strata_ckpt_global_optspecs
    string join \n backend= bucket= prefix= region= profile= endpoint-url= addressing-style= request-payer= expected-bucket-owner= part-size= j/concurrency= bwlimit= max-memory= retries= stall-timeout= claim-expiry= deadline= env-file= q/quiet v/verbose no-progress json color= h/help V/version
end

function __fish_strata_ckpt_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_strata_ckpt_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_strata_ckpt_using_subcommand
    set -l cmd (__fish_strata_ckpt_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c strata-ckpt -n "__fish_strata_ckpt_needs_command" -l backend -d 'Kind of store' -r -f -a "local\t''
s3\t''"
complete -c strata-ckpt -n "__fish_strata_ckpt_needs_command" -l bucket -d 'Bucket that keys are in' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_needs_command" -l prefix -d 'Put before every key' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_needs_command" -l region -d 'Region of the bucket; else the AWS configuration\'s, else us-east-1' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_needs_command" -l profile -d 'Profile of the AWS configuration files' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_needs_command" -l endpoint-url -d 'Server to use in place of AWS, such as http://127.0.0.1:9000' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_needs_command" -l addressing-style -d 'Where the bucket\'s name goes: path for other servers, virtual for AWS, or auto' -r -f -a "auto\t''
path\t''
virtual\t''"
complete -c strata-ckpt -n "__fish_strata_ckpt_needs_command" -l request-payer -d 'Agree to pay for the requests where the bucket\'s owner does not' -r -f -a "requester\t''"
complete -c strata-ckpt -n "__fish_strata_ckpt_needs_command" -l expected-bucket-owner -d 'Account, twelve digits, that the bucket has to belong to; requests fail otherwise' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_needs_command" -l part-size -d 'Size of parts, 5MiB to 5GiB; auto is 8MiB, and more where 10,000 parts would not suffice. For bench also a list' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_needs_command" -s j -l concurrency -d 'Requests in flight at once, 1 to 1024, or auto. For bench also a list' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_needs_command" -l bwlimit -d 'Bytes a second that all transfers together may move, such as 100MiB' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_needs_command" -l max-memory -d 'What stdin and stdout may hold in memory' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_needs_command" -l retries -d 'How often a failed request is repeated' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_needs_command" -l stall-timeout -d 'Give a request up when not a byte moves for so long' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_needs_command" -l claim-expiry -d 'How long a put of a directory may show no sign of life before another machine may go on with it' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_needs_command" -l deadline -d 'Give the whole command up after so long' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_needs_command" -l env-file -d 'File of variables to read in place of ./.env' -r -F
complete -c strata-ckpt -n "__fish_strata_ckpt_needs_command" -l color -d 'When to colour; auto is on a terminal, without NO_COLOR' -r -f -a "auto\t''
always\t''
never\t''"
complete -c strata-ckpt -n "__fish_strata_ckpt_needs_command" -s q -l quiet -d 'Only warnings and errors on stderr'
complete -c strata-ckpt -n "__fish_strata_ckpt_needs_command" -s v -l verbose -d 'Each file and each retry on stderr'
complete -c strata-ckpt -n "__fish_strata_ckpt_needs_command" -l no-progress -d 'No progress on stderr'
complete -c strata-ckpt -n "__fish_strata_ckpt_needs_command" -l json -d 'One JSON object a line: results on stdout; progress, warnings and the error on stderr'
complete -c strata-ckpt -n "__fish_strata_ckpt_needs_command" -s h -l help -d 'Print help'
complete -c strata-ckpt -n "__fish_strata_ckpt_needs_command" -s V -l version -d 'Print version'
complete -c strata-ckpt -n "__fish_strata_ckpt_needs_command" -f -a "put" -d 'Put a file, a directory (one checkpoint), or stdin into the store'
complete -c strata-ckpt -n "__fish_strata_ckpt_needs_command" -f -a "get" -d 'Get a file or a checkpoint back, verified'
complete -c strata-ckpt -n "__fish_strata_ckpt_needs_command" -f -a "ls" -d 'List checkpoints, and the files beside them'
complete -c strata-ckpt -n "__fish_strata_ckpt_needs_command" -f -a "rm" -d 'Remove files and checkpoints'
complete -c strata-ckpt -n "__fish_strata_ckpt_needs_command" -f -a "bench" -d 'Measure how fast the store is, and what to set'
complete -c strata-ckpt -n "__fish_strata_ckpt_needs_command" -f -a "setup" -d 'Prepare the store: bucket, lifecycle, permissions'
complete -c strata-ckpt -n "__fish_strata_ckpt_needs_command" -f -a "completions" -d 'Print a completion script for a shell, or the man page'
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand put" -l include -d 'Of a directory, put only files that match; repeatable. In the variable, one a line' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand put" -l exclude -d 'Of a directory, leave out files that match; repeatable. In the variable, one a line' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand put" -l meta -d 'Keep a value, such as the step or the loss, in a directory\'s manifest; repeatable. In the variable, one a line' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand put" -l keep-last -d 'When a directory is committed, remove the complete checkpoints beside it but for the N with the highest numbers, the newest, and this one. What cannot be removed is a warning' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand put" -l rank -d 'Put the files of one rank, from 0, of a job that puts one checkpoint together; it appears with the last rank' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand put" -l world-size -d 'How many ranks put the checkpoint together' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand put" -l sse -d 'Encryption by the server: its own keys, or those of a key management service; else the bucket\'s default' -r -f -a "AES256\t''
aws:kms\t''
aws:kms:dsse\t''"
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand put" -l sse-kms-key-id -d 'KMS key to encrypt with: its id, ARN or alias; by itself it means --sse aws:kms' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand put" -l storage-class -d 'Storage class of files: STANDARD, STANDARD_IA, ONEZONE_IA, INTELLIGENT_TIERING, GLACIER_IR or REDUCED_REDUNDANCY. Manifests are STANDARD always' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand put" -l metadata -d 'Give each file a metadata header of S3 (x-amz-meta-NAME), up to 2 KB in all; repeatable. In the variable, one a line' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand put" -l backend -d 'Kind of store' -r -f -a "local\t''
s3\t''"
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand put" -l bucket -d 'Bucket that keys are in' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand put" -l prefix -d 'Put before every key' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand put" -l region -d 'Region of the bucket; else the AWS configuration\'s, else us-east-1' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand put" -l profile -d 'Profile of the AWS configuration files' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand put" -l endpoint-url -d 'Server to use in place of AWS, such as http://127.0.0.1:9000' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand put" -l addressing-style -d 'Where the bucket\'s name goes: path for other servers, virtual for AWS, or auto' -r -f -a "auto\t''
path\t''
virtual\t''"
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand put" -l request-payer -d 'Agree to pay for the requests where the bucket\'s owner does not' -r -f -a "requester\t''"
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand put" -l expected-bucket-owner -d 'Account, twelve digits, that the bucket has to belong to; requests fail otherwise' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand put" -l part-size -d 'Size of parts, 5MiB to 5GiB; auto is 8MiB, and more where 10,000 parts would not suffice. For bench also a list' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand put" -s j -l concurrency -d 'Requests in flight at once, 1 to 1024, or auto. For bench also a list' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand put" -l bwlimit -d 'Bytes a second that all transfers together may move, such as 100MiB' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand put" -l max-memory -d 'What stdin and stdout may hold in memory' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand put" -l retries -d 'How often a failed request is repeated' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand put" -l stall-timeout -d 'Give a request up when not a byte moves for so long' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand put" -l claim-expiry -d 'How long a put of a directory may show no sign of life before another machine may go on with it' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand put" -l deadline -d 'Give the whole command up after so long' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand put" -l env-file -d 'File of variables to read in place of ./.env' -r -F
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand put" -l color -d 'When to colour; auto is on a terminal, without NO_COLOR' -r -f -a "auto\t''
always\t''
never\t''"
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand put" -s n -l no-clobber -d 'Fail when KEY exists already'
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand put" -l no-resume -d 'Start over where an earlier put of the same was interrupted, and give up what it left'
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand put" -l force -d 'Replace a committed checkpoint of other content; for the seconds of the change there is none'
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand put" -s q -l quiet -d 'Only warnings and errors on stderr'
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand put" -s v -l verbose -d 'Each file and each retry on stderr'
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand put" -l no-progress -d 'No progress on stderr'
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand put" -l json -d 'One JSON object a line: results on stdout; progress, warnings and the error on stderr'
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand put" -s h -l help -d 'Print help'
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand get" -l include -d 'Of a checkpoint, get only files that match; repeatable. In the variable, one a line' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand get" -l exclude -d 'Of a checkpoint, leave out files that match; repeatable. In the variable, one a line' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand get" -l backend -d 'Kind of store' -r -f -a "local\t''
s3\t''"
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand get" -l bucket -d 'Bucket that keys are in' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand get" -l prefix -d 'Put before every key' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand get" -l region -d 'Region of the bucket; else the AWS configuration\'s, else us-east-1' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand get" -l profile -d 'Profile of the AWS configuration files' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand get" -l endpoint-url -d 'Server to use in place of AWS, such as http://127.0.0.1:9000' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand get" -l addressing-style -d 'Where the bucket\'s name goes: path for other servers, virtual for AWS, or auto' -r -f -a "auto\t''
path\t''
virtual\t''"
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand get" -l request-payer -d 'Agree to pay for the requests where the bucket\'s owner does not' -r -f -a "requester\t''"
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand get" -l expected-bucket-owner -d 'Account, twelve digits, that the bucket has to belong to; requests fail otherwise' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand get" -l part-size -d 'Size of parts, 5MiB to 5GiB; auto is 8MiB, and more where 10,000 parts would not suffice. For bench also a list' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand get" -s j -l concurrency -d 'Requests in flight at once, 1 to 1024, or auto. For bench also a list' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand get" -l bwlimit -d 'Bytes a second that all transfers together may move, such as 100MiB' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand get" -l max-memory -d 'What stdin and stdout may hold in memory' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand get" -l retries -d 'How often a failed request is repeated' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand get" -l stall-timeout -d 'Give a request up when not a byte moves for so long' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand get" -l claim-expiry -d 'How long a put of a directory may show no sign of life before another machine may go on with it' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand get" -l deadline -d 'Give the whole command up after so long' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand get" -l env-file -d 'File of variables to read in place of ./.env' -r -F
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand get" -l color -d 'When to colour; auto is on a terminal, without NO_COLOR' -r -f -a "auto\t''
always\t''
never\t''"
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand get" -s n -l no-clobber -d 'Fail when DST exists already'
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand get" -l no-resume -d 'Start over where an earlier get of the same was interrupted, and give up what it left'
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand get" -l latest -d 'Get the complete checkpoint with the highest number, epoch_10 before epoch_9'
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand get" -l unverified -d 'Get a directory that has no manifest as it is listed, unless a put is going on there'
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand get" -l require-checksum -d 'Fail where the store holds no checksum to verify against'
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand get" -s q -l quiet -d 'Only warnings and errors on stderr'
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand get" -s v -l verbose -d 'Each file and each retry on stderr'
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand get" -l no-progress -d 'No progress on stderr'
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand get" -l json -d 'One JSON object a line: results on stdout; progress, warnings and the error on stderr'
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand get" -s h -l help -d 'Print help'
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand ls" -l sample -d 'Read only so much of it, chosen at random, at least one range of each checkpoint; implies --verify' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand ls" -l backend -d 'Kind of store' -r -f -a "local\t''
s3\t''"
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand ls" -l bucket -d 'Bucket that keys are in' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand ls" -l prefix -d 'Put before every key' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand ls" -l region -d 'Region of the bucket; else the AWS configuration\'s, else us-east-1' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand ls" -l profile -d 'Profile of the AWS configuration files' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand ls" -l endpoint-url -d 'Server to use in place of AWS, such as http://127.0.0.1:9000' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand ls" -l addressing-style -d 'Where the bucket\'s name goes: path for other servers, virtual for AWS, or auto' -r -f -a "auto\t''
path\t''
virtual\t''"
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand ls" -l request-payer -d 'Agree to pay for the requests where the bucket\'s owner does not' -r -f -a "requester\t''"
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand ls" -l expected-bucket-owner -d 'Account, twelve digits, that the bucket has to belong to; requests fail otherwise' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand ls" -l part-size -d 'Size of parts, 5MiB to 5GiB; auto is 8MiB, and more where 10,000 parts would not suffice. For bench also a list' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand ls" -s j -l concurrency -d 'Requests in flight at once, 1 to 1024, or auto. For bench also a list' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand ls" -l bwlimit -d 'Bytes a second that all transfers together may move, such as 100MiB' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand ls" -l max-memory -d 'What stdin and stdout may hold in memory' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand ls" -l retries -d 'How often a failed request is repeated' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand ls" -l stall-timeout -d 'Give a request up when not a byte moves for so long' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand ls" -l claim-expiry -d 'How long a put of a directory may show no sign of life before another machine may go on with it' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand ls" -l deadline -d 'Give the whole command up after so long' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand ls" -l env-file -d 'File of variables to read in place of ./.env' -r -F
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand ls" -l color -d 'When to colour; auto is on a terminal, without NO_COLOR' -r -f -a "auto\t''
always\t''
never\t''"
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand ls" -l files -d 'Show the files of each checkpoint'
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand ls" -l partial -d 'List only what is unfinished: interrupted puts, gets and removals, and what they left'
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand ls" -l verify -d 'Read everything that is listed, without keeping it, and compare it with its checksums; exit 6 on damage'
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand ls" -s q -l quiet -d 'Only warnings and errors on stderr'
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand ls" -s v -l verbose -d 'Each file and each retry on stderr'
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand ls" -l no-progress -d 'No progress on stderr'
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand ls" -l json -d 'One JSON object a line: results on stdout; progress, warnings and the error on stderr'
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand ls" -s h -l help -d 'Print help'
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand rm" -l keep-last -d 'Remove complete checkpoints, but keep the N with the highest numbers of each run' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand rm" -l keep-every -d 'Remove complete checkpoints, but keep those whose first number is a multiple of K: epoch_10 and epoch_20_step_7 with 10' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand rm" -l older-than -d 'Remove complete checkpoints, but keep those that were committed within TIME, such as 12h or 7d' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand rm" -l backend -d 'Kind of store' -r -f -a "local\t''
s3\t''"
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand rm" -l bucket -d 'Bucket that keys are in' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand rm" -l prefix -d 'Put before every key' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand rm" -l region -d 'Region of the bucket; else the AWS configuration\'s, else us-east-1' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand rm" -l profile -d 'Profile of the AWS configuration files' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand rm" -l endpoint-url -d 'Server to use in place of AWS, such as http://127.0.0.1:9000' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand rm" -l addressing-style -d 'Where the bucket\'s name goes: path for other servers, virtual for AWS, or auto' -r -f -a "auto\t''
path\t''
virtual\t''"
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand rm" -l request-payer -d 'Agree to pay for the requests where the bucket\'s owner does not' -r -f -a "requester\t''"
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand rm" -l expected-bucket-owner -d 'Account, twelve digits, that the bucket has to belong to; requests fail otherwise' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand rm" -l part-size -d 'Size of parts, 5MiB to 5GiB; auto is 8MiB, and more where 10,000 parts would not suffice. For bench also a list' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand rm" -s j -l concurrency -d 'Requests in flight at once, 1 to 1024, or auto. For bench also a list' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand rm" -l bwlimit -d 'Bytes a second that all transfers together may move, such as 100MiB' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand rm" -l max-memory -d 'What stdin and stdout may hold in memory' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand rm" -l retries -d 'How often a failed request is repeated' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand rm" -l stall-timeout -d 'Give a request up when not a byte moves for so long' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand rm" -l claim-expiry -d 'How long a put of a directory may show no sign of life before another machine may go on with it' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand rm" -l deadline -d 'Give the whole command up after so long' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand rm" -l env-file -d 'File of variables to read in place of ./.env' -r -F
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand rm" -l color -d 'When to colour; auto is on a terminal, without NO_COLOR' -r -f -a "auto\t''
always\t''
never\t''"
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand rm" -l partial -d 'Remove what was abandoned, of all names or of those that begin with KEY: uploads, files of interrupted puts, partial files. ls --partial shows it'
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand rm" -s y -l yes -d 'Remove a selection without being asked'
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand rm" -l dry-run -d 'Print what would be removed, and remove nothing'
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand rm" -s q -l quiet -d 'Only warnings and errors on stderr'
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand rm" -s v -l verbose -d 'Each file and each retry on stderr'
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand rm" -l no-progress -d 'No progress on stderr'
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand rm" -l json -d 'One JSON object a line: results on stdout; progress, warnings and the error on stderr'
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand rm" -s h -l help -d 'Print help'
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand bench" -l size -d 'Bytes of each run; by default as many as give each connection some parts, within a minute or so in all and an eighth of the memory: 16MiB to 1GiB' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand bench" -l op -d 'What is measured; by default both' -r -f -a "put\t''
get\t''
both\t''"
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand bench" -l runs -d 'Runs of each cell, 1 to 100; by default 3, fewer where eight cells would take more than a minute; one shows no spread' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand bench" -l source -d 'Where bytes are put from and got to: memory (/dev/shm) by default, or files in the working directory, with its disk' -r -f -a "memory\t''
file\t''"
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand bench" -l files -d 'Files that the bytes of a run are in, 1 to 10000; more than one are put as a directory. By default 1' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand bench" -l html -d 'Write a page with heat maps and latency curves that is readable without network' -r -F
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand bench" -l baseline -d 'Compare with what an earlier bench printed under --json; exit 10 where a cell is slower' -r -F
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand bench" -l tolerance -d 'How much slower than the baseline is no matter' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand bench" -l backend -d 'Kind of store' -r -f -a "local\t''
s3\t''"
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand bench" -l bucket -d 'Bucket that keys are in' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand bench" -l prefix -d 'Put before every key' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand bench" -l region -d 'Region of the bucket; else the AWS configuration\'s, else us-east-1' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand bench" -l profile -d 'Profile of the AWS configuration files' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand bench" -l endpoint-url -d 'Server to use in place of AWS, such as http://127.0.0.1:9000' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand bench" -l addressing-style -d 'Where the bucket\'s name goes: path for other servers, virtual for AWS, or auto' -r -f -a "auto\t''
path\t''
virtual\t''"
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand bench" -l request-payer -d 'Agree to pay for the requests where the bucket\'s owner does not' -r -f -a "requester\t''"
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand bench" -l expected-bucket-owner -d 'Account, twelve digits, that the bucket has to belong to; requests fail otherwise' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand bench" -l part-size -d 'Size of parts, 5MiB to 5GiB; auto is 8MiB, and more where 10,000 parts would not suffice. For bench also a list' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand bench" -s j -l concurrency -d 'Requests in flight at once, 1 to 1024, or auto. For bench also a list' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand bench" -l bwlimit -d 'Bytes a second that all transfers together may move, such as 100MiB' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand bench" -l max-memory -d 'What stdin and stdout may hold in memory' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand bench" -l retries -d 'How often a failed request is repeated' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand bench" -l stall-timeout -d 'Give a request up when not a byte moves for so long' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand bench" -l claim-expiry -d 'How long a put of a directory may show no sign of life before another machine may go on with it' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand bench" -l deadline -d 'Give the whole command up after so long' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand bench" -l env-file -d 'File of variables to read in place of ./.env' -r -F
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand bench" -l color -d 'When to colour; auto is on a terminal, without NO_COLOR' -r -f -a "auto\t''
always\t''
never\t''"
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand bench" -s q -l quiet -d 'Only warnings and errors on stderr'
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand bench" -s v -l verbose -d 'Each file and each retry on stderr'
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand bench" -l no-progress -d 'No progress on stderr'
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand bench" -l json -d 'One JSON object a line: results on stdout; progress, warnings and the error on stderr'
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand bench" -s h -l help -d 'Print help'
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand setup" -l kms-key -d 'ARN of the KMS key of an encrypted bucket: the policy has the two permissions on it, too' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand setup" -l abort-days -d 'Abort uploads that are unfinished after so many days; by default 7' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand setup" -l transition-after-epochs -d 'Move checkpoints to a cheaper storage class after so many epochs' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand setup" -l expire-after-epochs -d 'Delete checkpoints after so many epochs, the newest ones as well when training pauses' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand setup" -l epoch-duration -d 'How long an epoch takes, such as 6h; needed where epochs are counted' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand setup" -l storage-class -d 'Where checkpoints move: STANDARD_IA (the default), ONEZONE_IA, INTELLIGENT_TIERING or GLACIER_IR' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand setup" -l noncurrent-days -d 'Delete old versions so many days after they were replaced or removed' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand setup" -l backend -d 'Kind of store' -r -f -a "local\t''
s3\t''"
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand setup" -l bucket -d 'Bucket that keys are in' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand setup" -l prefix -d 'Put before every key' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand setup" -l region -d 'Region of the bucket; else the AWS configuration\'s, else us-east-1' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand setup" -l profile -d 'Profile of the AWS configuration files' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand setup" -l endpoint-url -d 'Server to use in place of AWS, such as http://127.0.0.1:9000' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand setup" -l addressing-style -d 'Where the bucket\'s name goes: path for other servers, virtual for AWS, or auto' -r -f -a "auto\t''
path\t''
virtual\t''"
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand setup" -l request-payer -d 'Agree to pay for the requests where the bucket\'s owner does not' -r -f -a "requester\t''"
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand setup" -l expected-bucket-owner -d 'Account, twelve digits, that the bucket has to belong to; requests fail otherwise' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand setup" -l part-size -d 'Size of parts, 5MiB to 5GiB; auto is 8MiB, and more where 10,000 parts would not suffice. For bench also a list' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand setup" -s j -l concurrency -d 'Requests in flight at once, 1 to 1024, or auto. For bench also a list' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand setup" -l bwlimit -d 'Bytes a second that all transfers together may move, such as 100MiB' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand setup" -l max-memory -d 'What stdin and stdout may hold in memory' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand setup" -l retries -d 'How often a failed request is repeated' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand setup" -l stall-timeout -d 'Give a request up when not a byte moves for so long' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand setup" -l claim-expiry -d 'How long a put of a directory may show no sign of life before another machine may go on with it' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand setup" -l deadline -d 'Give the whole command up after so long' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand setup" -l env-file -d 'File of variables to read in place of ./.env' -r -F
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand setup" -l color -d 'When to colour; auto is on a terminal, without NO_COLOR' -r -f -a "auto\t''
always\t''
never\t''"
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand setup" -l check -d 'Only check that everything works'
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand setup" -l iam-policy -d 'Print the policy with the five permissions on this bucket and prefix, and send nothing'
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand setup" -l env -d 'Write the settings into .env, or into the file that --env-file names, and send nothing'
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand setup" -l force -d 'With --env, replace a file that is there'
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand setup" -l versioning -d 'Turn versioning on: what rm removes and put replaces is then kept as an old version, and paid for'
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand setup" -l dry-run -d 'Say what would be done, and do nothing'
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand setup" -s q -l quiet -d 'Only warnings and errors on stderr'
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand setup" -s v -l verbose -d 'Each file and each retry on stderr'
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand setup" -l no-progress -d 'No progress on stderr'
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand setup" -l json -d 'One JSON object a line: results on stdout; progress, warnings and the error on stderr'
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand setup" -s h -l help -d 'Print help'
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand completions" -l backend -d 'Kind of store' -r -f -a "local\t''
s3\t''"
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand completions" -l bucket -d 'Bucket that keys are in' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand completions" -l prefix -d 'Put before every key' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand completions" -l region -d 'Region of the bucket; else the AWS configuration\'s, else us-east-1' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand completions" -l profile -d 'Profile of the AWS configuration files' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand completions" -l endpoint-url -d 'Server to use in place of AWS, such as http://127.0.0.1:9000' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand completions" -l addressing-style -d 'Where the bucket\'s name goes: path for other servers, virtual for AWS, or auto' -r -f -a "auto\t''
path\t''
virtual\t''"
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand completions" -l request-payer -d 'Agree to pay for the requests where the bucket\'s owner does not' -r -f -a "requester\t''"
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand completions" -l expected-bucket-owner -d 'Account, twelve digits, that the bucket has to belong to; requests fail otherwise' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand completions" -l part-size -d 'Size of parts, 5MiB to 5GiB; auto is 8MiB, and more where 10,000 parts would not suffice. For bench also a list' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand completions" -s j -l concurrency -d 'Requests in flight at once, 1 to 1024, or auto. For bench also a list' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand completions" -l bwlimit -d 'Bytes a second that all transfers together may move, such as 100MiB' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand completions" -l max-memory -d 'What stdin and stdout may hold in memory' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand completions" -l retries -d 'How often a failed request is repeated' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand completions" -l stall-timeout -d 'Give a request up when not a byte moves for so long' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand completions" -l claim-expiry -d 'How long a put of a directory may show no sign of life before another machine may go on with it' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand completions" -l deadline -d 'Give the whole command up after so long' -r
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand completions" -l env-file -d 'File of variables to read in place of ./.env' -r -F
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand completions" -l color -d 'When to colour; auto is on a terminal, without NO_COLOR' -r -f -a "auto\t''
always\t''
never\t''"
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand completions" -s q -l quiet -d 'Only warnings and errors on stderr'
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand completions" -s v -l verbose -d 'Each file and each retry on stderr'
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand completions" -l no-progress -d 'No progress on stderr'
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand completions" -l json -d 'One JSON object a line: results on stdout; progress, warnings and the error on stderr'
complete -c strata-ckpt -n "__fish_strata_ckpt_using_subcommand completions" -s h -l help -d 'Print help'
