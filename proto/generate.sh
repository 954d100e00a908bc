#!/bin/sh
# Generates TypeScript for every contract into proto/generated; `--check` fails when that would change it.
set -eu
cd "$(dirname "$0")"
bin=../node_modules/.bin
out=generated
[ "${1:-}" = --check ] && out=$(mktemp -d)
rm -rf "$out" && mkdir -p "$out"
"$bin/protoc" -I . --plugin=protoc-gen-ts_proto="$bin/protoc-gen-ts_proto" --ts_proto_out="$out" \
  --ts_proto_opt=esModuleInterop=true,importSuffix=.ts,env=node,useOptionals=none,forceLong=string,useDate=string,oneof=unions-value,enumsAsLiterals=true,outputServices=grpc-js,outputServices=generic-definitions,outputJsonMethods=false,useExactTypes=false,unrecognizedEnum=false,removeEnumPrefix=true,outputClientImpl=false,exportCommonSymbols=false \
  --descriptor_set_out="$out/descriptor.bin" --include_imports \
  $(find bugless google -name '*.proto' | sort)
if [ "$out" != generated ]; then
  diff -rq "$out" generated || { echo "proto/generated is not current: run npm run generate" >&2; exit 1; }
  rm -rf "$out"
fi
