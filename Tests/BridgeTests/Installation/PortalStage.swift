import Foundation
import Ingress
import Locks
import Logging
import NIOCore
import NIOPosix
import Simulation
import Synchronization
import Testing

@testable import Bridge

/// A page that shows the install page in a frame, as a portal does, and tells what is seen in it.
final class PortalStage: Sendable {
    /// What a person sees.
    struct Sight: Sendable, Codable, Equatable {
        var state: String
        var lang: String
        var text: String
        var role: String
        var finished: Int
    }

    private struct State {
        var page = ""
        var sights: [Sight] = []
        var faults: [String] = []
    }

    private let state = Guarded(State())
    let port: Int
    private let listener: HTTPListener

    private init(_ listener: HTTPListener, port: Int) {
        self.listener = listener
        self.port = port
    }

    /// The address under which the browser knows this portal.
    var domain: String { "127.0.0.1:\(port)" }

    var sights: [Sight] { state.withLock { $0.sights } }
    var faults: [String] { state.withLock { $0.faults } }

    static func with<Value>(_ body: (PortalStage) async throws -> Value) async throws -> Value {
        let box = Box()
        let listener = HTTPListener(
            configuration: ListenerConfiguration(name: "stage", host: "127.0.0.1", port: 0),
            eventLoopGroup: .singleton,
            logger: Logger(label: "stage") { _ in SwiftLogNoOpLogHandler() },
            makeHandler: { _ in Handler(box) }
        )
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await listener.run() }
            defer { group.cancelAll() }
            let stage = PortalStage(listener, port: try await listener.boundAddress.port ?? 0)
            box.stage.withLock { $0 = stage }
            return try await body(stage)
        }
    }

    /// What a browser that opens the stage gets: a frame to which the portal posts its form.
    func show(_ frame: PortalFrame, at installURL: String) {
        let name = "\(domain)|1|\(frame.session)"
        let inputs = frame.fields.members.map { member in
            let value = (member.value.text ?? "").replacingOccurrences(of: "\"", with: "&quot;")
            return "<input type=hidden name=\"\(member.name)\" value=\"\(value)\">"
        }
        let page = """
            <!doctype html><meta charset=utf-8><title>Portal</title>
            <iframe name="\(name)" width=700 height=400></iframe>
            <form method=post target="\(name)" action="\(installURL)?\(frame.query)">\(inputs.joined())</form>
            <script>
            let finished = 0, last = "";
            const tell = (path, body) => fetch(path, { method: "POST", body });
            addEventListener("message", event => { if (String(event.data).startsWith("installFinish")) finished += 1 });
            addEventListener("securitypolicyviolation", event => tell("/fault", event.violatedDirective));
            document.forms[0].submit();
            setInterval(() => {
              try {
                const page = document.querySelector("iframe").contentDocument;
                const main = page.getElementById("page");
                if (!main || page.readyState === "loading") return;
                const seen = JSON.stringify({
                  state: main.dataset.state, lang: page.documentElement.lang, text: page.body.innerText,
                  role: page.querySelector("[aria-live]").getAttribute("role"), finished
                });
                if (seen !== last) tell("/sight", seen);
                last = seen;
              } catch (error) { if (last !== "" + error) tell("/fault", last = "" + error); }
            }, 100);
            </script>
            """
        state.withLock { $0 = State(page: page) }
    }

    func waitForSight(
        of words: String,
        _ sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> Sight {
        try await wait(
            for: "\(words) to be seen; seen: \(sights); faults: \(faults)",
            within: .seconds(60),
            sourceLocation: sourceLocation
        ) { sights.contains { $0.text.contains(words) } }
        return try #require(sights.last { $0.text.contains(words) })
    }

    private final class Box: Sendable {
        let stage = Guarded<PortalStage?>(nil)
    }

    private final class Handler: RequestHandler {
        private let box: Box

        init(_ box: Box) { self.box = box }

        func decide(_ head: borrowing RequestHead) -> HeadDecision { .receiveBody }

        func handle(_ request: borrowing Request, _ responder: Responder) {
            guard let stage = box.stage.withLock({ $0 }) else { return _ = responder.respond(.notFound) }
            let body = Data(request.body.readableBytesView)
            switch request.head.path {
            case "/":
                let page = stage.state.withLock { $0.page }
                responder.respond(
                    Response(status: .ok, contentType: "text/html; charset=utf-8", body: ByteBuffer(string: page))
                )
            case "/sight":
                if let sight = try? JSONDecoder().decode(Sight.self, from: body) {
                    stage.state.withLock { $0.sights.append(sight) }
                }
                responder.respond(.ok)
            case "/fault":
                stage.state.withLock { $0.faults.append(String(decoding: body, as: UTF8.self)) }
                responder.respond(.ok)
            default: responder.respond(.notFound)
            }
        }

        func refused(_ refusal: Refusal) {}
    }
}
