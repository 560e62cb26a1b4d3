// swift-tools-version: 6.2
import PackageDescription

// `make test` turns warnings into errors; people with another compiler version only see them.
let strictness: [SwiftSetting] = Context.environment["B24_STRICT"] == nil ? [] : [.treatAllWarnings(as: .error)]
// `make tsan` needs locks that the thread sanitizer can see, see Sources/Locks.
let sanitizer: [SwiftSetting] = Context.environment["B24_TSAN"] == nil ? [] : [.define("B24_TSAN")]
let settings: [SwiftSetting] =
    [
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("MemberImportVisibility"),
    ] + strictness + sanitizer

let argumentParser: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
// Among what it needs is a module Configuration, as a room of ours is called; here that one gets another name.
let asyncHTTPClient: Target.Dependency = .product(
    name: "AsyncHTTPClient",
    package: "async-http-client",
    moduleAliases: ["Configuration": "SwiftConfiguration"]
)
let collections: Target.Dependency = .product(name: "DequeModule", package: "swift-collections")
let heaps: Target.Dependency = .product(name: "HeapModule", package: "swift-collections")
let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let metrics: Target.Dependency = .product(name: "Metrics", package: "swift-metrics")
let coreMetrics: Target.Dependency = .product(name: "CoreMetrics", package: "swift-metrics")
let nioCore: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")
let nioHTTP1: Target.Dependency = .product(name: "NIOHTTP1", package: "swift-nio")
let nioEmbedded: Target.Dependency = .product(name: "NIOEmbedded", package: "swift-nio")
let nioFoundationCompat: Target.Dependency = .product(name: "NIOFoundationCompat", package: "swift-nio")
let lifecycle: Target.Dependency = .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let lifecycleTests: Target.Dependency = .product(name: "ServiceLifecycleTestKit", package: "swift-service-lifecycle")
let unixSignals: Target.Dependency = .product(name: "UnixSignals", package: "swift-service-lifecycle")
let yams: Target.Dependency = .product(name: "Yams", package: "Yams")

// Arrows point down only; Tests/LayeringTests holds them.
let package = Package(
    name: "b24bridge",
    products: [
        .executable(name: "b24bridge", targets: ["b24bridge"]),
        // For EndToEndTests, which load it into the program under test (LD_PRELOAD). Nothing else uses it.
        .library(name: "JumpingClock", type: .dynamic, targets: ["JumpingClock"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.5.0"),
        .package(url: "https://github.com/apple/swift-collections.git", from: "1.2.0"),
        .package(url: "https://github.com/apple/swift-crypto.git", from: "4.0.0"),
        .package(url: "https://github.com/apple/swift-log.git", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-metrics.git", from: "2.5.0"),
        .package(url: "https://github.com/apple/swift-nio.git", from: "2.100.0"),
        .package(url: "https://github.com/jpsim/Yams.git", from: "6.0.0"),
        .package(url: "https://github.com/swift-server/async-http-client.git", from: "1.26.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle.git", from: "2.9.0"),
    ],
    targets: [
        // The command line and the place where everything is put together.
        .executableTarget(
            name: "b24bridge",
            dependencies: [
                "Bitrix24", "Bitrix24REST", "Bridge", "Configuration", "Journal", "KafkaClient", "Locks", "Simulation",
                "Telemetry", argumentParser, lifecycle, logging, nioCore, unixSignals,
            ],
            swiftSettings: settings
        ),
        // The flow and its policies.
        .target(
            name: "Bridge",
            dependencies: [
                "Bitrix24", "Bitrix24REST", "Configuration", "Ingress", "Journal", "KafkaClient", "Locks",
                asyncHTTPClient, collections, heaps, crypto, lifecycle, logging, metrics, coreMetrics, nioCore,
                nioFoundationCompat,
                nioHTTP1, nioPosix, unixSignals,
            ],
            resources: [
                .embedInCode("Installation/Page/install-page.html"), .embedInCode("Health/Page/status.css"),
                .embedInCode("Health/Page/status.js"), .embedInCode("Health/Page/ready.svg"),
                .embedInCode("Health/Page/not-ready.svg"),
            ],
            swiftSettings: settings
        ),
        // Stand-ins that ship with the product: the queue server of Bitrix24 and the proof that nothing was lost.
        .target(
            name: "Simulation",
            dependencies: [
                "Bitrix24", "Ingress", "KafkaClient", "Locks", asyncHTTPClient, crypto, lifecycle, logging, nioCore,
                nioHTTP1, nioPosix,
            ],
            swiftSettings: settings
        ),
        // Three pillars that know nothing of Bitrix24 and nothing of each other.
        .target(
            name: "Ingress",
            dependencies: ["Locks", lifecycle, logging, nioCore, nioHTTP1, nioPosix],
            swiftSettings: settings
        ),
        .target(name: "Journal", dependencies: ["Locks", collections], swiftSettings: settings),
        .target(name: "KafkaClient", dependencies: ["CLibrdkafka", "Locks"], swiftSettings: settings),
        .systemLibrary(name: "CLibrdkafka", pkgConfig: "rdkafka", providers: [.apt(["librdkafka-dev"])]),
        // The vocabulary: pure, no input or output.
        .target(
            name: "Bitrix24",
            dependencies: [crypto],
            resources: [.embedInCode("Events/event-catalog.tsv"), .embedInCode("Envelope/envelope.schema.json")],
            swiftSettings: settings
        ),
        // Calls to portals and authorization servers.
        .target(
            name: "Bitrix24REST",
            dependencies: ["Bitrix24", "Locks", asyncHTTPClient, nioCore, nioHTTP1, nioPosix],
            swiftSettings: settings
        ),
        // Leaves.
        .target(name: "Configuration", dependencies: [yams], swiftSettings: settings),
        .target(name: "Telemetry", dependencies: ["Locks", coreMetrics, logging], swiftSettings: settings),
        .target(name: "Locks", swiftSettings: settings),

        .testTarget(name: "Bitrix24Tests", dependencies: ["Bitrix24"], swiftSettings: settings),
        .testTarget(
            name: "Bitrix24RESTTests",
            dependencies: ["Bitrix24REST", "Ingress", "Locks", asyncHTTPClient, logging, nioCore, nioHTTP1, nioPosix],
            swiftSettings: settings
        ),
        .testTarget(
            name: "BridgeTests",
            dependencies: [
                "Bitrix24", "Bitrix24REST", "Bridge", "Configuration", "Ingress", "Journal", "KafkaClient", "Locks",
                "Simulation", "Telemetry", asyncHTTPClient, crypto, lifecycle, logging, nioCore, nioHTTP1, nioPosix,
            ],
            swiftSettings: settings
        ),
        .testTarget(name: "ConfigurationTests", dependencies: ["Configuration"], swiftSettings: settings),
        // Treats the built program as a black box; of our rooms it uses the consumer only.
        .testTarget(name: "EndToEndTests", dependencies: ["KafkaClient", "Locks", crypto], swiftSettings: settings),
        .testTarget(
            name: "IngressTests",
            dependencies: [
                "Ingress", "Locks", lifecycle, lifecycleTests, logging, nioCore, nioEmbedded, nioHTTP1, nioPosix,
            ],
            swiftSettings: settings
        ),
        .testTarget(name: "JournalTests", dependencies: ["Journal", "Locks"], swiftSettings: settings),
        .testTarget(name: "KafkaClientTests", dependencies: ["KafkaClient", "Locks"], swiftSettings: settings),
        .testTarget(name: "LayeringTests", swiftSettings: settings),
        .testTarget(
            name: "SimulationTests",
            dependencies: [
                "Bitrix24", "Ingress", "KafkaClient", "Locks", "Simulation", asyncHTTPClient, lifecycle, logging,
                nioCore,
                nioFoundationCompat, nioHTTP1, nioPosix,
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "TelemetryTests",
            dependencies: ["Telemetry", coreMetrics, logging],
            swiftSettings: settings
        ),
        // A wall clock that jumps, in C: it stands in for clock_gettime of the program under test.
        .target(name: "JumpingClock", path: "Tests/JumpingClock"),
        // librdkafka's in-process cluster as a process of its own, for tests and measurements from outside.
        .executableTarget(
            name: "ClusterServer",
            dependencies: ["KafkaClient"],
            path: "Tests/ClusterServer",
            swiftSettings: settings
        ),
    ]
)

// Only measuring needs these: B24_BENCHMARKS=1, see `make bench`.
if Context.environment["B24_BENCHMARKS"] != nil {
    package.targets.append(
        .executableTarget(
            name: "BareServer",
            dependencies: [nioCore, nioHTTP1, nioPosix],
            path: "Tests/Benchmarks/BareServer",
            swiftSettings: settings
        )
    )
}

// Only the thread sanitizer needs these: B24_TSAN=1, see `make tsan`.
if !sanitizer.isEmpty {
    package.targets.append(.target(name: "SanitizedThreads", path: "Tests/SanitizedThreads"))
    for target in package.targets where ["BridgeTests", "KafkaClientTests"].contains(target.name) {
        target.dependencies.append("SanitizedThreads")
    }
}
