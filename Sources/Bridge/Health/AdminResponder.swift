internal import Foundation
internal import Ingress
internal import NIOCore
internal import NIOFoundationCompat
internal import NIOHTTP1

/// The admin port: health for Kubernetes, metrics for Prometheus, status for machines and people.
final class AdminResponder: RequestHandler {
    private let health: HealthModel
    private let report: @Sendable () -> StatusReport
    private let portals: @Sendable (_ find: String, _ limit: Int) -> PortalPage
    private let metrics: @Sendable () -> [UInt8]

    /// Of `/status/portals`, where the request names no number or one beyond.
    static let portalLimit = (usual: 100, most: 1000)

    init(
        health: HealthModel,
        report: @escaping @Sendable () -> StatusReport,
        portals: @escaping @Sendable (_ find: String, _ limit: Int) -> PortalPage,
        metrics: @escaping @Sendable () -> [UInt8]
    ) {
        self.health = health
        self.report = report
        self.portals = portals
        self.metrics = metrics
    }

    func decide(_ head: borrowing RequestHead) -> HeadDecision {
        guard head.method == .GET || head.method == .HEAD else {
            return .respond(.methodNotAllowed(allow: "GET, HEAD"))
        }
        return .receiveBody
    }

    func handle(_ request: borrowing Request, _ responder: Responder) {
        responder.respond(response(to: String(request.head.path), String(request.head.query ?? "")))
    }

    func refused(_ refusal: Refusal) {}

    private func response(to path: String, _ query: String) -> Response {
        switch path {
        case "/livez": return Response(status: .ok, text: "alive")
        case "/readyz":
            let obstacles = health.obstacles
            return obstacles.isEmpty
                ? Response(status: .ok, text: "ready")
                : Response(status: .serviceUnavailable, text: "not ready: " + obstacles.joined(separator: "; "))
        case "/metrics":
            return Response(
                status: .ok,
                contentType: "text/plain; version=0.0.4; charset=utf-8",
                body: ByteBuffer(bytes: metrics())
            )
        case "/status": return json(report())
        case "/status/portals":
            let limit = PageQuery.value(of: "limit", in: query).flatMap { Int($0) } ?? Self.portalLimit.usual
            return json(portals(Self.find(query), min(max(limit, 0), Self.portalLimit.most)))
        case "/":
            let find = Self.find(query)
            return StatusPage(report(), portals: portals(find, StatusPage.limit), find: find).response
        default: return StatusPage.assets[path] ?? .notFound
        }
    }

    /// What is looked for, within bounds. Empty: anything.
    private static func find(_ query: String) -> String {
        let text = PageQuery.value(of: "find", in: query) ?? ""
        return String(String.UnicodeScalarView(text.unicodeScalars.prefix(StatusPage.longestFind)))
            .trimmingCharacters(in: .whitespacesAndNewlines)
    }

    private func json(_ value: some Encodable) -> Response {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        guard let json = try? encoder.encode(value) else {
            return Response(status: .internalServerError, text: "the status could not be written as JSON")
        }
        return Response(
            status: .ok,
            contentType: "application/json",
            body: ByteBuffer(data: json),
            headers: StatusPage.guarding
        )
    }
}
