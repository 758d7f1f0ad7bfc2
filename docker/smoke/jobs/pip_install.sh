#!/usr/bin/env bash
# smoke: root
# What `RUN pip install` of a derived image does: as root on a writable root, a wheel goes beside the image's packages,
# is found, and goes away again.
set -uo pipefail

fail() {
  echo "not ok pip_install ${1//$'\n'/ | }"
  exit 1
}

folder="$(mktemp -d)"
python3 - "$folder" << 'PYTHON' || fail "the wheel could not be made"
import sys
import zipfile

info = "smokewheel-1.0.dist-info"
files = {
    "smokewheel.py": "def main():\n    print('from the wheel')\n",
    f"{info}/METADATA": "Metadata-Version: 2.1\nName: smokewheel\nVersion: 1.0\nRequires-Dist: numpy\n",
    f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: smoke\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    f"{info}/entry_points.txt": "[console_scripts]\nsmokewheel = smokewheel:main\n",
}
record = "".join(f"{name},,\n" for name in files) + f"{info}/RECORD,,\n"
with zipfile.ZipFile(f"{sys.argv[1]}/smokewheel-1.0-py3-none-any.whl", "w") as wheel:
    for name, text in {**files, f"{info}/RECORD": record}.items():
        wheel.writestr(name, text)
PYTHON

said="$(python3 -m pip install --no-index --quiet "$folder"/*.whl 2>&1)" || fail "pip install: $said"
said="$(cd / && smokewheel)" || fail "the wheel's script does not run"
[[ $said == "from the wheel" ]] || fail "expected 'from the wheel', found: $said"
broken="$(python3 -m pip check)" || fail "pip check: $broken"
python3 -m pip uninstall --yes --quiet smokewheel || fail "pip uninstall failed"
python3 -c "import smokewheel" 2> /dev/null && fail "the wheel is still there after pip uninstall"
echo "ok pip_install installed, run, checked and removed"
