internal import Ingress
package import Logging
internal import NIOCore
internal import NIOPosix
internal import ServiceLifecycle

/// Bitrix24 on this host: the authorization server and any number of portals, in memory, behind one address.
///
/// It answers as Bitrix24 documents, posts events as its queue server does (each once, whatever becomes of it), and does on
/// demand whatever hurts: see ``Fault``. Any thread may call it. A portal is named by its member_id, or by its number from 1.
package final class StandIn: Service {
    package let settings: StandInSettings
    let host: PortalHost
    private let listener: HTTPListener

    package init(_ settings: StandInSettings = StandInSettings(), logger: Logger? = nil) {
        self.settings = settings
        let host = PortalHost(settings)
        self.host = host
        var configuration = ListenerConfiguration(name: "stand-in", host: settings.host, port: settings.port)
        // Slow answers are a part of the play.
        configuration.answerTimeout = .seconds(600)
        listener = HTTPListener(
            configuration: configuration,
            eventLoopGroup: .singleton,
            logger: logger ?? Logger(label: "stand-in") { _ in SwiftLogNoOpLogHandler() },
            makeHandler: { StandInHandler(host, $0) },
            onBound: { address in
                let url = Self.url(settings, port: address.port)
                host.change { $0.address = url }
            }
        )
    }

    /// What the bridge's `application.standIn` is to be. Waits until the stand-in listens.
    ///
    /// - Throws: when it cannot.
    package var address: String {
        get async throws {
            let url = Self.url(settings, port: try await listener.boundAddress.port)
            // The listener may tell us before it has told the portals.
            host.change { $0.address = url }
            return url
        }
    }

    /// Serves until shutdown or cancellation. To be called once.
    package func run() async throws {
        try await withThrowingDiscardingTaskGroup { group in
            group.addTask { await self.host.postEvents() }
            defer { host.endPosting() }
            try await withTaskCancellationOrGracefulShutdownHandler {
                try await listener.run()
            } onCancelOrGracefulShutdown: {
                // They would be waited for.
                self.host.endPolls()
            }
        }
    }

    /// Runs a stand-in while `body` runs.
    package static func withRunning<Result>(
        _ settings: StandInSettings = StandInSettings(),
        isolation: isolated (any Actor)? = #isolation,
        _ body: (StandIn) async throws -> Result
    ) async throws -> Result {
        let standIn = StandIn(settings)
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await standIn.run() }
            _ = try await standIn.address
            defer { group.cancelAll() }
            return try await body(standIn)
        }
    }

    private static func url(_ settings: StandInSettings, port: Int?) -> String {
        if let url = settings.reachedAt { return url }
        let isAny = ["0.0.0.0", "::", ""].contains(settings.host)
        let host = isAny ? "127.0.0.1" : settings.host.contains(":") ? "[\(settings.host)]" : settings.host
        return "http://\(host):\(port ?? settings.port)"
    }
}
