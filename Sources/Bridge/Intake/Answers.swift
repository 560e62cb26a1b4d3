internal import Bitrix24
internal import Ingress

/// The receiver's answers, rendered once.
enum Answers {
    static let notFound = Response.notFound
    static let method = Response.methodNotAllowed(allow: "GET, HEAD, POST")
    static let address = Response(
        status: .forbidden,
        text: "this address may not send events; add its network to http.allowedNetworks"
    )
    /// One text for an unknown portal and a wrong token: a prober learns nothing from it.
    static let notAdmitted = Response(
        status: .forbidden,
        text: "the portal or its application token is not known here; add both to the portals of b24bridge"
    )
    static let notDurable = Response.serviceUnavailable(
        "the event could not be stored; make room on the journal's disk or bring Kafka back",
        retryAfterSeconds: 5
    )
    static let noApplication = Response(
        status: .notFound,
        text: "no application is installed here; set application.clientId of b24bridge"
    )
    static let installAddress = Response(
        status: .ok,
        text: "Bitrix24 installs the application here. Enter this address as the application's installation path."
    )
    static let readOnly = Response.methodNotAllowed(allow: "GET, HEAD")
    /// An installation that was not taken, and why.
    static func notInstalled(_ refusal: InstallRefusal) -> Response {
        refusal.status == .serviceUnavailable
            ? .serviceUnavailable(refusal.words, retryAfterSeconds: 60)
            : Response(status: refusal.status, text: refusal.words)
    }
    static let malformed: [InboundCall.MalformedCall: Response] = Dictionary(
        uniqueKeysWithValues: InboundCall.MalformedCall.allCases.map {
            ($0, Response(status: .badRequest, text: $0.description))
        }
    )
}
