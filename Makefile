# charter: two commands do all the set-up there is, on a machine with Go and git.
#
#   make demo   the main job, end to end, on the embedded default
#   make test   every test

export GOTOOLCHAIN = local
GO ?= go

STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
AXE = 4.14.1
AXE_SHA256 = e6b0ce02b84d892e2e33e403485e7f3d6c29e2be6df65daf44d89ba564139745
CHROMIUM ?= chromium
GITEA = code.gitea.io/gitea@v1.26.0
FUZZTIME ?= 30s
BENCHTIME ?= 1s

.PHONY: demo build test lint fmt bench browser pictures gitea fuzz

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

# The pages in a real Chromium, with pictures of them to look at.
browser: bin/axe-$(AXE).min.js
	mkdir -p bin/screenshots
	CHARTER_CHROMIUM="$$(command -v $(CHROMIUM))" CHARTER_AXE=$(CURDIR)/$< CHARTER_SCREENSHOTS=$(CURDIR)/bin/screenshots \
		$(GO) test -count=1 ./reconcile/daemon/web ./cmd/charter/internal/view

# The pictures of the pages on pull requests, anew.
pictures:
	rm -f examples/pull-requests/pictures/*.png
	mkdir -p examples/pull-requests/pictures
	CHARTER_CHROMIUM="$$(command -v $(CHROMIUM))" CHARTER_SCREENSHOTS=$(CURDIR)/examples/pull-requests/pictures \
		$(GO) test -count=1 -run '^TestPictures' ./reconcile/daemon/web ./cmd/charter/internal/view

# What judges accessibility, from npm's registry.
bin/axe-$(AXE).min.js:
	mkdir -p bin
	cd bin && npm pack --silent --fetch-retries=1 --fetch-timeout=20000 axe-core@$(AXE) >/dev/null
	cd bin && echo "$(AXE_SHA256)  axe-core-$(AXE).tgz" | sha256sum -c - >/dev/null
	tar -xzOf bin/axe-core-$(AXE).tgz package/axe.min.js > $@
	rm bin/axe-core-$(AXE).tgz

# A pull request's life on a real Gitea, which is built first: with a C compiler, and
# some ten minutes.
gitea: bin/gitea
	CHARTER_GITEA=$(CURDIR)/$< CHARTER_GITEA_ROOT="$$(cat bin/gitea.root)" $(GO) test -count=1 -run TestScripts/gitea ./cmd/charter

bin/gitea: Makefile
	mkdir -p bin
	$(GO) mod download -json $(GITEA) | sed -n 's/^\t"Dir": "\(.*\)",$$/\1/p' > bin/gitea.root
	CGO_ENABLED=1 $(GO) build -C "$$(cat bin/gitea.root)" -mod=readonly -tags 'sqlite sqlite_unlock_notify' -o $(CURDIR)/$@ .

# Every fuzzer in turn, FUZZTIME each.
fuzz:
	@set -e; for file in $$(grep -rl --include='*_test.go' '^func Fuzz' .); do \
		for target in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9]*\).*/\1/p' $$file); do \
			echo "$$(dirname $$file) $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x ./$$(dirname $$file); \
		done; \
	done
