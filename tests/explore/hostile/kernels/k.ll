; kernel </script><img src=x onerror=alert(4)>
define void @f() {
  ret void
}
