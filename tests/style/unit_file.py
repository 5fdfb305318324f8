#!/usr/bin/python3
"""Fails when deploy/gilmok.service grants what gilmok does not need: the settings that take rights away stand there, once each."""
import sys
from pathlib import Path

UNIT = Path(__file__).resolve().parent.parent.parent / "deploy" / "gilmok.service"
NEEDED = {
    "NoNewPrivileges": ["yes"], "CapabilityBoundingSet": [""], "AmbientCapabilities": [""], "DynamicUser": ["yes"], "UMask": ["0077"],
    "ProtectSystem": ["strict"], "ProtectHome": ["yes"], "PrivateTmp": ["yes"], "PrivateDevices": ["yes"], "ProtectClock": ["yes"],
    "ProtectControlGroups": ["yes"], "ProtectHostname": ["yes"], "ProtectKernelLogs": ["yes"], "ProtectKernelModules": ["yes"],
    "ProtectKernelTunables": ["yes"], "ProtectProc": ["invisible"], "ProcSubset": ["pid"], "RestrictNamespaces": ["yes"],
    "RestrictAddressFamilies": ["AF_UNIX AF_INET AF_INET6"], "RestrictRealtime": ["yes"], "RestrictSUIDSGID": ["yes"], "RemoveIPC": ["yes"],
    "LockPersonality": ["yes"], "MemoryDenyWriteExecute": ["yes"], "SystemCallArchitectures": ["native"],
    "SystemCallFilter": ["@system-service", "~@privileged @resources"], "LimitCORE": ["0"],
    "LoadCredential": ["users.txt:/etc/gilmok/users.txt"],
}  # fmt: skip


def service_settings():
    settings, section = {}, None
    for line in UNIT.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            section = line
        elif section == "[Service]" and "=" in line and line[0] != "#":
            key, value = line.split("=", 1)
            settings.setdefault(key, []).append(value)
    return settings


def main():
    settings = service_settings()
    wrong = [f"{key}={settings.get(key, ['missing'])}, and not {value}" for key, value in NEEDED.items() if settings.get(key) != value]
    wrong += [f"{key} is not for gilmok" for key in ("User", "Environment", "EnvironmentFile", "ReadWritePaths") if key in settings]
    print("\n".join([*wrong, f"{len(NEEDED)} settings, {len(wrong)} differences"]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
