#!/bin/bash
# Runs at each start of the notebook instance, as root.
# Every five minutes: when no kernel is busy, and no kernel or terminal did anything for IDLE_MINUTES, write the signal
# object. An EventBridge rule on that object stops the instance, so that no API but S3 must be reachable from here.
set -euo pipefail

PATH="$PATH:/usr/local/bin:/home/ec2-user/anaconda3/bin"
AWS=$(command -v aws) || { echo "no AWS CLI: the notebook would never stop by itself" >&2; exit 1; }

cat > /usr/local/bin/trainworks-idle-stop <<'SCRIPT'
#!/usr/bin/env python3
import datetime, json, ssl, subprocess, sys, urllib.error, urllib.request

AWS, UPTIME, JUPYTER = sys.argv[1], "/proc/uptime", "https://localhost:8443"
BUCKET, KEY, REGION, IDLE_MINUTES = "@BUCKET@", "@KEY@", "@REGION@", int("@IDLE_MINUTES@")

# Jupyter's certificate on the loopback address is self-signed.
context = ssl._create_unverified_context()


def listed(what):
    # Without the parameter, asking would itself be activity.
    url = f"{JUPYTER}/api/{what}?no_track_activity=1"
    try:
        with urllib.request.urlopen(url, context=context, timeout=30) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        if error.code == 404:  # terminals are switched off
            return []
        raise


kernels = listed("kernels")
if any(kernel["execution_state"] == "busy" for kernel in kernels):
    sys.exit()
now = datetime.datetime.now(datetime.timezone.utc)
with open(UPTIME) as file:
    started = now - datetime.timedelta(seconds=float(file.read().split()[0]))
active = [datetime.datetime.fromisoformat(each["last_activity"].replace("Z", "+00:00"))
          for each in kernels + listed("terminals")]
if (now - max([started, *active])).total_seconds() >= IDLE_MINUTES * 60:
    subprocess.run([AWS, "s3api", "put-object", "--region", REGION, "--bucket", BUCKET, "--key", KEY,
                    "--body", "/etc/hostname"], check=True)
SCRIPT
chmod 0755 /usr/local/bin/trainworks-idle-stop
# A timer of systemd: not every image has cron. It is gone with the instance's stop and made again at its start.
systemd-run --unit=trainworks-idle-stop --on-calendar='*:0/5' /usr/local/bin/trainworks-idle-stop "$AWS"
