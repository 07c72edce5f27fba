#!/bin/bash
# Makes a certificate for Elasticsearch once. The authority's key is not kept: nobody can sign another.
set -euo pipefail
umask 077
[ -f /ca/ca.crt ] && exit 0
work=$(mktemp -d)
cd /usr/share/elasticsearch
bin/elasticsearch-certutil ca --silent --pem --days 3650 --out "$work/ca.zip"
unzip -q "$work/ca.zip" -d "$work"
bin/elasticsearch-certutil cert --silent --pem --days 3650 --name elasticsearch --dns elasticsearch \
    --ca-cert "$work/ca/ca.crt" --ca-key "$work/ca/ca.key" --out "$work/cert.zip"
unzip -q "$work/cert.zip" -d "$work"
install -o 1000 -g 0 -m 0400 "$work/elasticsearch/elasticsearch.key" /tls/elasticsearch.key
install -o 1000 -g 0 -m 0444 "$work/elasticsearch/elasticsearch.crt" /tls/elasticsearch.crt
install -o 1000 -g 0 -m 0444 "$work/ca/ca.crt" /tls/ca.crt
chmod 0755 /tls /ca
# Last, because it says that all is done.
install -m 0444 "$work/ca/ca.crt" /ca/ca.crt
rm -rf "$work"
