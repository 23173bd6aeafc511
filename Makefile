# charter: two commands do all the set-up there is, on a machine with Go and git.
#
#   make demo   the main job, end to end, on the embedded default
#   make test   every test

export GOTOOLCHAIN = local
GO ?= go

STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
FUZZTIME ?= 30s

.PHONY: demo build test lint fmt bench fuzz

demo:
	$(GO) run ./examples/demo

build:
	$(GO) build -o bin/ ./cmd/charter ./examples/ehr

test:
	$(GO) test ./...

lint:
	$(GO) vet ./...
	@unformatted=$$(gofmt -l .); test -z "$$unformatted" || { echo "not formatted: $$unformatted"; exit 1; }
	$(GO) run $(STATICCHECK) ./...
