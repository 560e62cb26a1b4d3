internal import Foundation
internal import Ingress
internal import NIOCore
internal import NIOFoundationCompat
internal import NIOHTTP1

/// The admin port: health for Kubernetes, metrics for Prometheus, status for machines and people.
final class AdminResponder: RequestHandler {
    private let health: HealthModel
    private let report: @Sendable () -> StatusReport
    private let metrics: @Sendable () -> [UInt8]

    init(
        health: HealthModel,
        report: @escaping @Sendable () -> StatusReport,
        metrics: @escaping @Sendable () -> [UInt8]
    ) {
        self.health = health
        self.report = report
        self.metrics = metrics
    }

    func decide(_ head: borrowing RequestHead) -> HeadDecision {
        guard head.method == .GET || head.method == .HEAD else {
            return .respond(.methodNotAllowed(allow: "GET, HEAD"))
        }
        return .receiveBody
    }

    func handle(_ request: borrowing Request, _ responder: Responder) {
        responder.respond(response(to: String(request.head.path)))
    }

    func refused(_ refusal: Refusal) {}

    private func response(to path: String) -> Response {
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
        case "/status":
            guard let json = try? report().json else {
                return Response(status: .internalServerError, text: "the status could not be written as JSON")
            }
            return Response(status: .ok, contentType: "application/json", body: ByteBuffer(data: json))
        case "/":
            return Response(
                status: .ok,
                contentType: "text/html; charset=utf-8",
                body: ByteBuffer(string: StatusPage.html(report()))
            )
        default: return .notFound
        }
    }
}
