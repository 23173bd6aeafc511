# charter: two commands do all the set-up there is, on a machine with Go and git.
#
#   make demo   the main job, end to end, on the embedded default
#   make test   every test

export GOTOOLCHAIN = local
GO ?= go

STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
FUZZTIME ?= 30s
BENCHTIME ?= 1s

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

# Ratios against a floor that is measured in the same run. What a benchmark
# prints as CPU is processor time; the time of day is not reported.
bench:
	$(GO) test -run '^$$' -bench . -benchtime $(BENCHTIME) -timeout 60m ./...

# Every fuzzer in turn, FUZZTIME each.
fuzz:
	@set -e; for file in $$(grep -rl --include='*_test.go' '^func Fuzz' .); do \
		for target in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9]*\).*/\1/p' $$file); do \
			echo "$$(dirname $$file) $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x ./$$(dirname $$file); \
		done; \
	done
