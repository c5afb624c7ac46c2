// Texture coordinates of a point on a shape's own surface, in object axes, from its outward normal.
#ifdef THREE_JS
// As three.js lays them, whose y axis is z here and whose z axis is -y (of boxes and planes all are
// the same). `slope` is how u and v grow along the axes: they themselves jump at seams.
vec2 shape_uv(vec3 p, vec3 normal, out mat2x3 slope) {
#ifdef ROUND
#ifdef CAPS
    if (abs(normal.z) > 0.99) {
        slope = 0.5 * mat2x3(0.0, -1.0, 0.0, normal.z, 0.0, 0.0);
        return p * slope + 0.5;
    }
#endif
    float across = max(length(p.xy), 1e-6);
    slope[0] = vec3(-p.y, p.x, 0.0) / (6.2831853 * across * across);
#ifdef CAPS
    slope[1] = vec3(0.0, 0.0, 0.5);
    return vec2(fract(atan(p.x, -p.y) / 6.2831853), 0.5 + 0.5 * p.z);
#else
#ifdef CAPSULE
    float end = clamp(p.z, -v_length, v_length), whole = 2.0 * v_length + 3.1415927;
#else
    float end = 0.0, whole = 3.1415927;
#endif
    float up = p.z - end;
    slope[1] = vec3(-up * p.xy / across, across) / whole;
    return vec2(fract(atan(-p.y, -p.x) / 6.2831853), 0.5 + (end + atan(up, across)) / whole);
#endif
#else
    vec3 n = step(0.5, abs(normal)) * sign(normal);
    vec3 along = n.x != 0.0 ? vec3(0.0, 0.0, -n.x) : vec3(n.y != 0.0 ? 1.0 : n.z, 0.0, 0.0);
    slope = 0.5 * mat2x3(along, n.y != 0.0 ? vec3(0.0, 0.0, -n.y) : vec3(0.0, 1.0, 0.0));
    return p * slope + 0.5;
#endif
}
#elif defined(ROUND)
// Once round from +x, and from the top down; caps from above.
vec2 shape_uv(vec3 p, vec3 normal) {
#ifdef CAPS
    if (abs(normal.z) > 0.99) return p.xy * 0.5 + 0.5;
#endif
    float turn = fract(atan(p.y, p.x) / 6.2831853);
#ifdef CAPSULE
    // Each half sphere and the tube between have the whole of it.
    float end = clamp(p.z, -v_length, v_length);
    float round_v = acos(clamp(p.z - end, -1.0, 1.0)) / 1.5707963 - float(p.z < 0.0);
    return vec2(turn, p.z == end ? 0.5 - 0.5 * p.z / max(v_length, 1e-6) : round_v);
#endif
#ifdef BALL
    return vec2(turn, acos(clamp(p.z, -1.0, 1.0)) / 3.1415927);
#else
    return vec2(turn, 0.5 - 0.5 * p.z);
#endif
}
#else
vec2 shape_uv(vec3 p, vec3 normal) {
    vec3 n = abs(normal);
    if (n.z > 0.99) return p.xy * 0.5 + 0.5;
    return vec2(n.x > n.y ? p.y * normal.x : -p.x * normal.y, p.z) * 0.5 + 0.5;
}
#endif
