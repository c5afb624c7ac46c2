// What one camera of one state needs, written once per picture. `camera` means camera axes.
layout(std140) uniform Frame {
    mat4 clip_from_camera;
    vec4 unproject;    // pixel * xy + zw = point on the plane one metre ahead (ORTHO: metres)
    vec4 ambient;      // rgb, and the near plane (metres)
    vec4 haze;         // rgb, and where fading starts (metres)
    vec4 haze_plane;   // world plane it lies on: normal, offset
    float haze_end;    // where fading is complete (metres)
    mat4 world_from_camera;
    vec4 lights[6 * MAX_LIGHTS];
    mat4 shadow_from_camera[MAX_SHADOWS];
};
