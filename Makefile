# Two commands: `make run` tries it out, `make test` tests it. `make help` lists the rest.
SWIFT ?= swift
export SWIFT
RELEASE := .build/release/b24bridge
WITH_KAFKA := ^(KafkaClientTests|BridgeTests)\.
WITH_PORTALS := ^BridgeTests\.(Install|Waiting|REST|Registry|PortalOrder|Subscribed)
WITH_QUEUES := ^BridgeTests\.(Offline|Relayed|PushWatch|WakeEvent|ReceptionGap)
FROM_OUTSIDE := ^EndToEndTests\.
FAULTS := ^(EndToEndTests|JournalTests|BridgeTests)\.[A-Za-z]*FaultTests/
ATTACKS := ^EndToEndTests\.[A-Za-z]*FaultTests/

.PHONY: help setup setup-tests run build test faults interop chart-test chart-rendered image-test tsan bench format lint clean

help: ## List the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-15s %s\n", $$1, $$2}'

setup: ## Install what building needs (librdkafka)
	@Scripts/install-packages librdkafka-dev pkg-config

setup-tests: setup ## Install what the tests need beside that (PHP, Python, slowhttptest, HAProxy, NGINX, Chromium)
	@Scripts/install-packages php-cli python3-venv kcat slowhttptest haproxy nginx-light
	@Scripts/install-packages chromium || echo "Chromium cannot be installed: the tests of the pages are skipped" >&2

run: setup ## Build and start it with a Kafka of its own
	$(SWIFT) build -c release --product b24bridge
	$(RELEASE) serve --dev

build: setup ## Build for production
	$(SWIFT) build -c release --product b24bridge

test: setup-tests lint ## Run all tests
	B24_STRICT=1 $(SWIFT) build --build-tests
	@# In parts: a Kafka client that looks for a broker of a cluster that is gone may knock at any port, and the tests of
	@# the listener count who knocks. Those of portals and of their queues run a stand-in for Bitrix24 beside the bridge, and
	@# those from outside start processes of their own: all at once is more than two cores bear. What attacks a running bridge
	@# has the machine for itself.
	B24_STRICT=1 Scripts/run-tests --skip '$(WITH_KAFKA)' --skip '$(FROM_OUTSIDE)'
	B24_STRICT=1 Scripts/run-tests --filter '$(WITH_KAFKA)' --skip '$(WITH_PORTALS)' --skip '$(WITH_QUEUES)'
	B24_STRICT=1 Scripts/run-tests --filter '$(WITH_PORTALS)'
	B24_STRICT=1 Scripts/run-tests --filter '$(WITH_QUEUES)'
	B24_STRICT=1 Scripts/run-tests --filter '$(FROM_OUTSIDE)' --skip '$(ATTACKS)'
	B24_STRICT=1 Scripts/run-tests --no-parallel --filter '$(ATTACKS)'
	B24_STRICT=1 $(MAKE) interop chart-test image-test

# The suites whose names end in FaultTests, and what the configuration's faults are is not one of them. Their short form
# is part of `make test`; here they run long, large and one after the other. Each scenario prints a line "fault: …".
faults: setup-tests ## Attack it for minutes: hostile clients, full disks, outages, kills
	B24_STRICT=1 $(SWIFT) build --build-tests
	@mkdir -p .build; result=.build/faults.log; \
	{ B24_STRICT=1 B24_FAULTS=full $(SWIFT) test --skip-build --no-parallel --filter '$(FAULTS)' \
	  --skip ConfigurationFaultTests 2>&1; echo "status $$?"; } | tee $$result; \
	echo; echo "Figures:"; grep -o 'fault: .*' $$result | sed 's/^fault: /  /'; grep -qx 'status 0' $$result

interop: setup-tests ## Read what the bridge sends with other implementations (aiokafka, CloudEvents SDK)
	Tests/Interoperability/run

chart-test: ## Check the Helm chart: lint, schemas, rendered examples, rules
	@Scripts/install-packages python3-venv
	Tests/Chart/run

chart-rendered: ## Write anew what is made from the chart: the rendered examples and the dashboard
	@Scripts/install-packages python3-venv
	Tests/Chart/run --write

image-test: setup ## Run the release build in a minimal Debian, as the container image does
	Tests/Image/run

# librdkafka itself is not instrumented, so what it does is left out. Each room's tests have a process of their own: the
# sanitizer itself gives up when one of many threads starts a process. The tests from outside say nothing here.
tsan: setup ## Run the tests once under the thread sanitizer
	B24_TSAN=1 $(SWIFT) build --build-tests --sanitize=thread --scratch-path .build/tsan
	@for tests in Bitrix24Tests ConfigurationTests JournalTests IngressTests TelemetryTests KafkaClientTests SimulationTests \
	  BridgeTests; do \
	  B24_TSAN=1 TSAN_OPTIONS=ignore_noninstrumented_modules=1 $(SWIFT) test --skip-build --sanitize=thread \
	    --scratch-path .build/tsan --filter "^$$tests\." || exit 1; \
	done

bench: setup ## Measure against a bare NIO server on this machine
	@Scripts/install-packages wrk
	Tests/Benchmarks/run

format: ## Format all sources
	$(SWIFT) format --in-place --recursive Package.swift Sources Tests

lint: ## Check the format of all sources
	$(SWIFT) format lint --strict --recursive Package.swift Sources Tests

clean: ## Remove what was built
	rm -rf .build .venv
