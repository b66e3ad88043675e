// Sums and maxima over all invocations of a workgroup; each of them gets the result. Appended to other kernels.

// The workgroup's own index is no member: browsers count all members as different in each invocation, and refuse barriers
// that depend on one.
struct Invocation {
  @builtin(local_invocation_index) index: u32,
#if SUBGROUPS
  @builtin(subgroup_invocation_id) lane: u32,
  @builtin(subgroup_size) lanes: u32,
#end
}

#if REDUCE
var<workgroup> reduced: array<{REDUCED}, {THREADS}>;
#if SUBGROUPS
fn total(invocation: Invocation, value: {REDUCED}) -> {REDUCED} {
  let sum = subgroupAdd(value);
  reduced[invocation.index] = select({REDUCED}(), sum, invocation.lane == 0u);
  workgroupBarrier();
  var rest = {REDUCED}();
  for (var other = invocation.lane; other < {THREADS}u; other += invocation.lanes) { rest += reduced[other]; }
  workgroupBarrier();
  return subgroupAdd(rest);
}

fn maximum(invocation: Invocation, value: {REDUCED}) -> {REDUCED} {
  let own = subgroupMax(value);
  reduced[invocation.index] = own;
  workgroupBarrier();
  var largest = own;
  for (var other = invocation.lane; other < {THREADS}u; other += invocation.lanes) { largest = max(largest, reduced[other]); }
  workgroupBarrier();
  return subgroupMax(largest);
}
#else
// By halves.
fn total(invocation: Invocation, value: {REDUCED}) -> {REDUCED} {
  let index = invocation.index;
  reduced[index] = value;
  workgroupBarrier();
  for (var half = {THREADS}u / 2u; half > 0u; half /= 2u) {
    if (index < half) { reduced[index] += reduced[index + half]; }
    workgroupBarrier();
  }
  let sum = reduced[0];
  workgroupBarrier();
  return sum;
}

fn maximum(invocation: Invocation, value: {REDUCED}) -> {REDUCED} {
  let index = invocation.index;
  reduced[index] = value;
  workgroupBarrier();
  for (var half = {THREADS}u / 2u; half > 0u; half /= 2u) {
    if (index < half) { reduced[index] = max(reduced[index], reduced[index + half]); }
    workgroupBarrier();
  }
  let largest = reduced[0];
  workgroupBarrier();
  return largest;
}
#end
#end
