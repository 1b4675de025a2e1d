#!/bin/bash
# Runs at each start of the notebook instance, as root.
# Every five minutes: when Jupyter reports neither a running kernel nor a request for IDLE_MINUTES, write the signal
# object. An EventBridge rule on that object stops the instance, so that no API but S3 must be reachable from here.
set -euo pipefail

cat > /usr/local/bin/trainworks-idle-stop <<'SCRIPT'
#!/usr/bin/env python3
import datetime, json, ssl, subprocess, sys, urllib.request

BUCKET, KEY, IDLE_MINUTES = "@BUCKET@", "@KEY@", int("@IDLE_MINUTES@")

# Jupyter's certificate on the loopback address is self-signed.
context = ssl._create_unverified_context()
with urllib.request.urlopen("https://localhost:8443/api/status", context=context, timeout=30) as answer:
    status = json.load(answer)
with urllib.request.urlopen("https://localhost:8443/api/kernels", context=context, timeout=30) as answer:
    kernels = json.load(answer)
if any(kernel["execution_state"] == "busy" for kernel in kernels):
    sys.exit()
active = datetime.datetime.fromisoformat(status["last_activity"].replace("Z", "+00:00"))
with open("/proc/uptime") as file:
    up_minutes = float(file.read().split()[0]) / 60
idle_minutes = (datetime.datetime.now(datetime.timezone.utc) - active).total_seconds() / 60
if min(idle_minutes, up_minutes) >= IDLE_MINUTES:
    subprocess.run(
        ["aws", "s3api", "put-object", "--bucket", BUCKET, "--key", KEY, "--body", "/etc/hostname"], check=True
    )
SCRIPT
chmod 0755 /usr/local/bin/trainworks-idle-stop
echo '*/5 * * * * root /usr/local/bin/trainworks-idle-stop 2>&1 | logger -t trainworks-idle-stop' \
  > /etc/cron.d/trainworks-idle-stop
