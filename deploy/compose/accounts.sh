#!/bin/bash
# Gives the hub's two accounts at Elasticsearch their roles and password. Passwords go through files, never arguments.
set -euo pipefail
umask 077
address=https://elasticsearch:9200
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
printf 'user = "elastic:%s"\ncacert = "/ca/ca.crt"\nfail\nsilent\nshow-error\n' "$(cat /run/secrets/elastic_password)" > "$work/curl"

account() {
    printf '{"password": "%s", "roles": [%s]}' "$(cat /run/secrets/store_password)" "$2" > "$work/account"
    curl --config "$work/curl" --request PUT --header 'Content-Type: application/json' \
        --data-binary "@$work/account" --output /dev/null "$address/_security/user/$1"
}

account threathub '"threathub"'
account threathub_setup '"threathub", "threathub_setup"'
