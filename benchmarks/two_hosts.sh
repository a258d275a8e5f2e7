#!/usr/bin/env bash
# Two machines in one: two network namespaces joined by a cable of their own, a torchrun node in each, one small run.
#
#   sudo benchmarks/two_hosts.sh [PYTHON]
#
# PYTHON is a Python that has dcgan and torch, by default the one of .venv. The namespaces, their addresses (10.77.0.1
# and 10.77.0.2) and the folders are made here and removed at the end; nothing else is reached, not even this machine.
# The two nodes share no folder: each has its own home, its own cache and its own place for runs.
set -euo pipefail

python=${1:-$(cd "$(dirname "$0")/.." && pwd)/.venv/bin/python}
one=dcgan-one-$$ two=dcgan-two-$$ room=$(mktemp -d)
command -v ip > /dev/null || { echo "two_hosts: the program ip is missing: install iproute2" >&2; exit 2; }
trap 'kill $(jobs -p) 2> /dev/null || true; ip netns del $one 2> /dev/null || true; ip netns del $two 2> /dev/null || true; rm -rf "$room"' EXIT
ip netns add $one 2> /dev/null && ip netns add $two 2> /dev/null ||
    { echo "two_hosts: this user may not make network namespaces: run it as root, outside a sandbox" >&2; exit 2; }
ip link add cable-one netns $one type veth peer name cable-two netns $two 2> /dev/null ||
    { echo "two_hosts: the kernel makes no pair of virtual network cards (veth)" >&2; exit 2; }
ip -n $one address add 10.77.0.1/24 dev cable-one
ip -n $two address add 10.77.0.2/24 dev cable-two
ip -n $one link set cable-one up; ip -n $one link set lo up
ip -n $two link set cable-two up; ip -n $two link set lo up

say() { echo; echo "\$ $*"; }

# node NAMESPACE NUMBER ARGUMENTS…: one machine's part, in a folder of its own.
node() {
    local place=$1 number=$2; shift 2
    mkdir -p "$room/$number"
    cd "$room/$number"
    # Without a name server torch warns that the other end of a connection has no name.
    TORCH_CPP_LOG_LEVEL=ERROR HOME=$room/$number DCGAN_CACHE=$room/$number/cache OMP_NUM_THREADS=1 exec \
        ip netns exec "$place" "$python" -m torch.distributed.run --nnodes 2 --nproc-per-node 1 --node-rank "$number" \
        --master-addr 10.77.0.1 --master-port 29477 -m dcgan "$@"
}

both() {
    say "torchrun --nnodes 2 --nproc-per-node 1 --node-rank {0,1} --master-addr 10.77.0.1 --master-port 29477 -m dcgan $*"
    (node $one 0 "$@") > "$room/0.log" 2>&1 & first=$!
    (node $two 1 "$@") > "$room/1.log" 2>&1 & second=$!
    status=0
    wait $first || status=$?
    wait $second || status=$?
    for number in 0 1; do sed "s/^/host $number: /" "$room/$number.log"; done
    return $status
}

small=(--set g_maps=8 --set d_maps=8 --batch 32 --evaluate-every 0)
both train digits --name pair --epochs 1 "${small[@]}"
both resume pair --epochs 2

say "… -m dcgan resume pair --minutes 9    # and after some steps: kill -9 the rank on host 1"
(node $one 0 resume pair --minutes 9 --evaluate-every 0) > "$room/0.log" 2>&1 & first=$!
(node $two 1 resume pair --minutes 9 --evaluate-every 0) > "$room/1.log" 2>&1 & second=$!
until grep -q images/s "$room/0.log"; do
    kill -0 $first 2> /dev/null || { cat "$room/0.log"; exit 1; }
    sleep 0.5
done
for id in $(ip netns pids $two); do  # torchrun itself and its rank: the rank is to go
    [ "$id" = $second ] || ! tr '\0' ' ' < "/proc/$id/cmdline" | grep -q 'dcgan resume' || kill -9 "$id"
done
began=$SECONDS
wait $first || true
wait $second || true
grep '^dcgan: ' "$room/0.log" | sed 's/^/host 0: /'
echo "host 0 ended $((SECONDS - began)) s after the kill"

echo
echo "What lies on each host:"
for number in 0 1; do
    echo "host $number: $(cd "$room/$number" && find runs -name '*.safetensors' 2> /dev/null | sort | tr '\n' ' ')"
done
"$python" - "$room/0/runs/pair" << 'END'
import json, sys
from pathlib import Path

from dcgan.run import Run

run = Run(Path(sys.argv[1]))
newest = json.loads(sorted((run.folder / "checkpoints").glob("[0-9]*.json"))[-1].read_text())
images, _ = run.generate(4, seed=0)
print(f"checkpoint of step {newest['step']}, made by {newest['made_with']['ranks']} ranks, loads")
print("and makes pictures:", images.shape, images.dtype)
assert newest["made_with"]["ranks"] == 2
END
[ -z "$(find "$room/1" -name '*.safetensors' -path '*runs*')" ] && echo "host 1 wrote no run: one writer."
