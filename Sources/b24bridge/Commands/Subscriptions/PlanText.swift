import Bridge

/// A plan for people, as they know it from Terraform.
enum PlanText {
    static func text(_ portal: RegisteredPortal, _ plan: PortalReport.Plan) -> String {
        var text = "\(portal.shownName)\n"
        for line in plan.bind { text += "  + bind    \(words(line))\n" }
        for line in plan.unbind { text += "  - unbind  \(words(line))\n" }
        text += "  \(counts(plan.bind.count, plan.unbind.count, plan.unchanged))"
        if plan.foreign > 0 { text += "; \(plan.foreign) of others, left as they are" }
        text += "\n"
        if !plan.unknown.isEmpty {
            text +=
                "  not in the event catalog: \(plan.unknown.joined(separator: ", ")); if the portal does not know them "
                + "either, they cannot be bound\n"
        }
        return text
    }

    static func words(_ line: PortalReport.Line) -> String {
        guard let handler = line.handler else {
            let connector = line.connector ?? ""
            return "\(line.event) → offline queue" + (connector.isEmpty ? "" : " \(connector)")
        }
        return "\(line.event) → \(handler)" + (line.authType.map { " (as user \($0))" } ?? "")
    }

    static func counts(_ bind: Int, _ unbind: Int, _ unchanged: Int) -> String {
        "\(bind) to bind, \(unbind) to unbind, \(unchanged) unchanged"
    }
}

/// A portal in what `plan --json` and `apply --json` print.
struct PlanJSON: Encodable {
    let memberId: String
    let domain: String?
    let plan: PortalReport.Plan?
    /// Of `apply`: what is not as it was planned.
    let left: PortalReport.Rest?
    let error: PortalReport.Fault?

    init(_ answer: PortalAnswer) {
        memberId = answer.portal.memberID
        domain = answer.portal.installation?.domain
        plan = answer.report?.plan
        left = answer.report?.rest
        error = answer.error
    }
}
