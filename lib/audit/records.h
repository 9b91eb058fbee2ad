// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "audit/verify.h"
#include "record/kinds_audit.h"

namespace rackline::audit {

record::AuditFinding record_of(const Finding& finding);
// `keyed`: the signatures were checked.
record::AuditVerified record_of(const Verified& result, bool keyed);

}  // namespace rackline::audit
