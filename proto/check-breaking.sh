#!/bin/sh
# Compares the contracts with those of the last commit (with the one before it, when nothing here is uncommitted) and
# fails when a change would break a plugin or a bot that was built on them. Released protos only grow.
set -eu
cd "$(dirname "$0")/.."
if ! git rev-parse --git-dir >/dev/null 2>&1; then
  echo 'contracts: skipped, this is no git checkout'
  exit 0
fi
base=HEAD
[ -n "$(git status --porcelain -- proto)" ] || base=HEAD~1
if ! git cat-file -e "$base:proto/buf.yaml" 2>/dev/null; then
  echo "contracts: skipped, $base holds no contracts to compare with"
  exit 0
fi
mkdir -p .build
git archive --format=tar "$base" proto | (rm -rf .build/contracts && mkdir -p .build/contracts && tar -x -C .build/contracts)
node_modules/.bin/buf breaking proto --against .build/contracts/proto
rm -rf .build/contracts
echo "contracts: compatible with $base"
