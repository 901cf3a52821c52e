"""The nightly job, written down for whoever starts it: cron, systemd, Kubernetes or GitHub Actions."""
