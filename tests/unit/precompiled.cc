// SPDX-License-Identifier: Apache-2.0
// Nothing but the headers that all unit tests share, which are compiled with this file.
