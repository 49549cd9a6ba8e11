#!/bin/sh
# Makes what compose.yaml needs, once: passwords (.env), the agents' shared key and their tokens (secrets/). Run it again at will: what is
# there stays. Nothing secret is printed.
set -eu
cd "$(dirname "$0")"
umask 077

random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }

# The folder is closed; the files in it are open because the containers, which see a file only, run under users of their own.
mkdir -p secrets
touch .env
for name in INFLUX_ADMIN_PASSWORD INFLUX_PASSWORD INFLUX_GRAFANA_PASSWORD GRAFANA_ADMIN_PASSWORD; do
  grep -q "^$name=." .env && continue
  sed -i "/^$name=/d" .env
  echo "$name=$(random)" >>.env
done
sed -n 's/^INFLUX_PASSWORD=//p' .env >secrets/influx-password
[ -s secrets/test-key ] || random >secrets/test-key
touch secrets/token-hq secrets/token-branch
chmod 0644 secrets/*

docker compose build
for site in hq branch; do
  [ -s "secrets/token-$site" ] && continue
  docker compose run --rm --no-deps -T collector token create \
    --config /etc/kiestoon/collector.yaml --agent "agent-$site" --site "$site" >"secrets/token-$site"
done
echo 'Ready: docker compose up --detach'
echo 'The console asks for a token: docker compose exec collector cat /var/lib/kiestoon/admin-token'
echo 'Grafana asks for the password of admin: GRAFANA_ADMIN_PASSWORD in .env'
