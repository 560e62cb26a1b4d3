internal import Bitrix24REST
internal import Logging

extension RESTWork {
    /// Does what somebody ordered and writes the answer down, also when it is that it cannot be done.
    func carryOut(_ order: RegisteredPortal.Order, _ portal: RegisteredPortal) async throws(Failure) {
        var report = PortalReport()
        do throws(Failure) {
            try await carryOut(order, portal, &report)
        } catch {
            // Whoever owns the work next does it again.
            guard !Task.isCancelled else { throw error }
            switch error {
            case .registry: throw error
            case .rest(let error):
                metrics.failed(error.code.text)
                report.error = PortalReport(error).error
            }
        }
        try await write(report, to: order, portal)
        tell(report, of: order, portal)
    }

    private func tell(_ report: PortalReport, of order: RegisteredPortal.Order, _ portal: RegisteredPortal) {
        var metadata: Logger.Metadata = ["portal": "\(portal.memberID)", "order": "\(order.kind.rawValue)"]
        if let drained = report.drained {
            metadata["rows"] = "\(drained.rows)"
            metadata["recovered"] = "\(drained.recovered)"
            metadata["dead_letters"] = "\(drained.deadLettered)"
        }
        guard let error = report.error else {
            // Who only looks changes nothing, and may look at thousands.
            return logger.log(
                level: order.kind.changesSomething ? .info : .debug,
                "order carried out",
                metadata: metadata
            )
        }
        metadata["error"] = "\(error.code): \(error.message)"
        logger.warning("order failed", metadata: metadata)
    }

    private func write(
        _ report: PortalReport,
        to order: RegisteredPortal.Order,
        _ portal: RegisteredPortal
    ) async throws(Failure) {
        func write(_ report: PortalReport) async throws(Failure) {
            let answer = RegisteredPortal.Report(orderID: order.id, at: now(), json: report.json)
            try await change(portal.memberID) { $0.report = answer }
        }
        do throws(Failure) {
            try await write(report)
        } catch {
            // Too long for a record. Whoever waits is told so, and the order is not carried out for ever.
            guard case .registry(let error) = error, error.code == .refused else { throw error }
            var words = PortalReport()
            words.error = .init(code: "report_too_large", message: "the answer could not be stored: \(error)")
            try await write(words)
        }
    }

    private func carryOut(
        _ order: RegisteredPortal.Order,
        _ portal: RegisteredPortal,
        _ report: inout PortalReport
    ) async throws(Failure) {
        let memberID = portal.memberID
        var application: AppInfo?
        do throws(RESTError) {
            switch order.kind {
            case .plan:
                let reconciler = Reconciler(client, settings, portal)
                report.plan = .init(try await reconciler.plan(memberID), reconciler.desired)
            case .events:
                report.events = try await client.events(of: memberID).sorted()
            case .test:
                try await client.testEvent([Self.nonceName: .string(order.id)], of: memberID)
                report.testedAt = now()
            case .check:
                let info = try await client.appInfo(of: memberID)
                report.application = .init(
                    domain: info.domain,
                    status: info.status,
                    isInstalled: info.isInstalled,
                    scope: info.scope
                )
                application = info
            case .queue: try await lookIntoQueues(of: portal, &report)
            case .drain, .recover:
                try await emptyQueues(
                    of: portal,
                    // Without a time everything counts.
                    since: order.kind == .recover ? order.since ?? 0 : nil,
                    patience: order.kind.ownersPatience,
                    &report
                )
            case .apply: break
            }
        } catch {
            throw .rest(error)
        }
        if let application { try await take(application, portal) }
        if order.kind == .apply {
            let outcome = try await reconcile(portal)
            report.plan = .init(outcome.plan, DesiredBindings(settings, for: memberID))
            report.rest = .init(outcome)
        }
        // It answers after all: somebody gave its user the rights again.
        if portal.authorization?.needed != nil, report.error == nil {
            try await change(memberID) { portal in
                if portal.authorization?.sealed != nil { portal.authorization?.needed = nil }
            }
            logger.info("portal authorised again", metadata: ["portal": "\(memberID)"])
        }
    }

    /// What the authorization server said of the portal, where it is news.
    private func take(_ info: AppInfo, _ portal: RegisteredPortal) async throws(Failure) {
        guard let known = portal.installation, info.memberID == portal.memberID else { return }
        var today = known
        today.take(info)
        guard today != known else { return }
        try await change(portal.memberID) { $0.installation?.take(info) }
        logger.info(
            "application's status changed",
            metadata: ["portal": "\(portal.memberID)", "domain": "\(today.domain)", "status": "\(today.status)"]
        )
    }
}
